# What a person can do here; `make help` prints it.
TOOLS   := $(CURDIR)/.tools/bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO      := go

# Servers and tools that tests, lint and benchmarks need, pinned.
MINIO         := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
NATS_SERVER   := github.com/nats-io/nats-server/v2@v2.15.2
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
RCLONE        := github.com/rclone/rclone@v1.76.0
MC            := github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9

.DEFAULT_GOAL := help
.PHONY: help build demo test race lint generated check tools bench-tools bench soak cross clean

help: ## what can be done here
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/sluice
	$(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/sluice ./cmd/sluice

demo: build ## replicate a sample tree, change a few files, replicate again
	./deploy/demo.sh

tools: $(TOOLS)/minio $(TOOLS)/nats-server ## install the servers that tests talk to

bench-tools: tools $(TOOLS)/rclone $(TOOLS)/mc

$(TOOLS)/minio:
	GOBIN=$(TOOLS) $(GO) install $(MINIO)
$(TOOLS)/nats-server:
	GOBIN=$(TOOLS) $(GO) install $(NATS_SERVER)
$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) $(GO) install $(GOLANGCI_LINT)
$(TOOLS)/rclone:
	GOBIN=$(TOOLS) $(GO) install $(RCLONE)
$(TOOLS)/mc:
	GOBIN=$(TOOLS) $(GO) install $(MC)

test: tools ## run all tests, real servers included
	$(GO) test -timeout 15m ./...

race: tools ## run all tests under the race detector
	$(GO) test -race -timeout 20m ./...

lint: $(TOOLS)/golangci-lint ## vet, style and the layers
	$(TOOLS)/golangci-lint run ./...

generated: ## write the files that are made from code (docs/reference.md, docs/taskfile.*)
	$(GO) run ./cmd/sluice reference > docs/reference.md
	$(GO) run ./cmd/sluice taskfile page > docs/taskfile.md
	$(GO) run ./cmd/sluice taskfile schema > docs/taskfile.schema.json

check: lint test ## what CI runs: lint, tests, race, generated files, clean tree
	$(GO) test -race -short -timeout 15m ./...
	$(MAKE) generated
	@test -z "$$(git status --porcelain)" || { git status --short; echo 'the tree is not clean after the checks'; exit 1; }

bench: build bench-tools ## compare with rclone and mc on this machine, print the tables
	$(GO) run ./internal/bench

soak: tools ## the long tests
	$(GO) test -race -timeout 60m -run Soak ./task ./internal/e2e -soak

cross: ## build for linux, darwin, windows on amd64 and arm64
	@for os in linux darwin windows; do for arch in amd64 arm64; do \
	  ext=; [ $$os = windows ] && ext=.exe; echo "$$os/$$arch"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o dist/sluice-$$os-$$arch$$ext ./cmd/sluice || exit 1; \
	done; done

clean: ## remove what was built (not .tools)
	rm -rf bin dist

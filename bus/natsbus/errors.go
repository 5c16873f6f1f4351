package natsbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sluice-sync/sluice/bus"
)

// Codes of the server's API errors, from nats-server's errors.json.
const (
	codeAccountResources = 10002 // resource limits exceeded for account
	codeConsumerStore    = 10012 // error creating store for consumer
	codeStreamStore      = 10049 // error creating store for stream
	codeInsufficient     = 10023 // insufficient resources
	codeStorage          = 10047 // insufficient storage resources available
	codeStoreFailed      = 10077 // storing failed; the text says why
)

// classify adds the sentinel of package bus that fits an error of NATS.
func classify(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return bus.ErrClosed
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, jetstream.ErrConsumerNotFound):
		return fmt.Errorf("%w: %w", bus.ErrLost, err)
	case errors.As(err, &api):
		if kind := apiKind(int(api.ErrorCode), api.Description); kind != nil {
			return fmt.Errorf("%w: %w", kind, err)
		}
	}
	return err
}

func apiKind(code int, text string) error {
	switch code {
	case codeStoreFailed:
		if strings.Contains(text, "maximum") { // bytes or messages exceeded
			return bus.ErrFull
		}
		return diskKind(text)
	case codeAccountResources, codeInsufficient, codeStorage:
		return bus.ErrNoDisk
	}
	return nil
}

func isDamaged(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == codeConsumerStore || api.ErrorCode == codeStreamStore)
}

// diskKind is ErrNoDisk if an error that only comes as text says so.
func diskKind(text string) error {
	for _, s := range []string{"no space left", "not enough space", "quota exceeded"} {
		if strings.Contains(text, s) {
			return bus.ErrNoDisk
		}
	}
	return nil
}

// gone returns an error if a stream (or its consumer, if named) is known not
// to exist any more, and nil if it exists or cannot be asked.
func (b *Bus) gone(ctx context.Context, stream, consumer string) error {
	var err error
	if consumer == "" {
		_, err = b.js.Stream(ctx, stream)
	} else {
		_, err = b.js.Consumer(ctx, stream, consumer)
	}
	if err = classify(err); errors.Is(err, bus.ErrLost) || errors.Is(err, bus.ErrClosed) {
		return err
	}
	return nil
}

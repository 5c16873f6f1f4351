package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/minio/minio-go/v7"
)

// limited is a reader of a fixed length.
type limited struct {
	r io.Reader
	n int64
}

func (l limited) reader() io.Reader { return io.LimitReader(l.r, l.n) }

func nothing() error { return nil }

// place is where a row's data comes from or goes to, in every tool's words.
type place struct {
	sluice, rclone, mc string
	wipe               func() error // makes it empty
}

func (b *lab) store(c *minio.Client, alias string) func() (place, error) {
	return func() (place, error) {
		name, err := b.bucket(c)
		p := place{sluice: alias + "://" + name, rclone: alias + ":" + name, mc: alias + "/" + name}
		p.wipe = func() error {
			if err := b.drop(c, name); err != nil {
				return err
			}
			return c.MakeBucket(b.ctx, name, minio.MakeBucketOptions{})
		}
		return p, err
	}
}

func (b *lab) local(name string) func() (place, error) {
	return func() (place, error) {
		dir := b.path(name)
		p := place{sluice: dir, rclone: dir, mc: dir}
		p.wipe = func() error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o755)
		}
		return p, os.MkdirAll(dir, 0o755)
	}
}

func bucketOf(p place) string { return filepath.Base(p.mc) }

// copyRow moves everything each time.
func (b *lab) copyRow(name string, from, to func() (place, error), fill func(place) error, withMC bool, more ...tool) row {
	var src, dst place
	reset := func() error {
		if err := dst.wipe(); err != nil {
			return err
		}
		return os.RemoveAll(b.path("state"))
	}
	r := row{
		name: name,
		prepare: func() (err error) {
			if src, err = from(); err != nil {
				return err
			}
			if dst, err = to(); err != nil {
				return err
			}
			return fill(src)
		},
		ours:  []tool{{"sluice", func() []string { return []string{b.bin, "sync", "--quiet", src.sluice, dst.sluice} }, reset}},
		peers: []tool{b.rclone(&src, &dst, reset)},
		done: func() error {
			if err := src.wipe(); err != nil {
				return err
			}
			return dst.wipe()
		},
	}
	if withMC {
		r.peers = append(r.peers, b.mc(&src, &dst, reset))
	}
	for _, t := range more {
		cmd := t.cmd
		t.cmd = func() []string {
			args := cmd()
			for i := range args {
				args[i] = strings.NewReplacer("{src}", src.sluice, "{dst}", dst.sluice).Replace(args[i])
			}
			return args
		}
		t.reset = reset
		r.peers = append(r.peers, t)
	}
	return r
}

func (b *lab) rclone(src, dst *place, reset func() error, flags ...string) tool {
	name := strings.Join(append([]string{"rclone"}, flags...), " ")
	return tool{name, func() []string {
		args := append([]string{b.tools + "/rclone", "sync", "-q", "--transfers", "32", "--checkers", "32"}, flags...)
		return append(args, src.rclone, dst.rclone)
	}, reset}
}

func (b *lab) mc(src, dst *place, reset func() error) tool {
	return tool{"mc mirror", func() []string {
		return []string{b.tools + "/mc", "mirror", "--quiet", "--overwrite", src.mc, dst.mc}
	}, reset}
}

// equalRow has nothing to do: once with the state of the run that copied, once
// with the state deleted.
func (b *lab) equalRow(name string, prepare func() (src, dst place, err error), done func() error, withMC bool, rcloneFlags ...string) row {
	var src, dst place
	cmd := func() []string { return []string{b.bin, "sync", "--quiet", src.sluice, dst.sluice} }
	r := row{
		name: name,
		prepare: func() (err error) {
			if src, dst, err = prepare(); err != nil {
				return err
			}
			_, err = b.measure(cmd())
			return err
		},
		ours: []tool{
			{"sluice with state", cmd, func() error { _, err := b.measure(cmd()); return err }},
			{"sluice without state", cmd, func() error { return os.RemoveAll(b.path("state")) }},
		},
		peers: []tool{b.rclone(&src, &dst, nothing, rcloneFlags...)},
		done:  done,
	}
	if withMC {
		r.peers = append(r.peers, b.mc(&src, &dst, nothing))
	}
	return r
}

func (b *lab) rows() []row {
	small := func(c *minio.Client) func(place) error {
		return func(p place) error { return b.fill(c, bucketOf(p), 10_000, 4<<10) }
	}
	big := func(c *minio.Client) func(place) error {
		return func(p place) error { return b.fill(c, bucketOf(p), 4, 256<<20) }
	}
	smallTree := func(p place) error { return b.tree(p.sluice, 10_000, 1000, 4<<10) }
	bigTree := func(p place) error { return b.tree(p.sluice, 4, 4, 256<<20) }
	a, z := b.store(b.a, "one"), b.store(b.z, "two")
	cp := tool{name: "cp -a", cmd: func() []string { return []string{"cp", "-a", "{src}/.", "{dst}/"} }}
	free := b.copyRow("free server, 20,000 × 4 KiB", b.free("free", "gen-20000-4096"), b.free("sink", "copy"), func(place) error { return nil }, true)
	free.perItem = 20_000
	large := b.copyRow("free server, 4 × 1 GiB", b.free("free", "gen-4-1073741824"), b.free("sink", "large"), func(place) error { return nil }, false)
	return []row{
		b.copyRow("MinIO→MinIO, 10,000 × 4 KiB", a, z, small(b.a), true),
		b.copyRow("local→MinIO, 10,000 × 4 KiB", b.local("src"), z, smallTree, true),
		b.copyRow("MinIO→local, 10,000 × 4 KiB", a, b.local("dst"), small(b.a), true),
		b.copyRow("MinIO→MinIO, 4 × 256 MiB", a, z, big(b.a), true),
		b.equalRow("nothing to do, 10,000 objects on two MinIO", b.equalStores, nil, true),
		b.equalRow(fmt.Sprintf("nothing to do, %d objects, free server", b.million), b.equalFree, nil, false,
			"--checksum"), // else it asks for each object's time: a million requests more
		b.equalRow(fmt.Sprintf("nothing to do, %d local files in 1,000 directories", b.million), b.equalTrees, func() error {
			return os.RemoveAll(b.path("million"))
		}, false),
		b.copyRow("local→local, 10,000 × 4 KiB", b.local("src"), b.local("dst"), smallTree, false, cp),
		b.copyRow("local→local, 4 × 256 MiB", b.local("src"), b.local("dst"), bigTree, false, cp),
		free,
		large,
		b.ossRow("OSS double→OSS double, 10,000 × 4 KiB", true),
		b.ossRow("MinIO→OSS double, 10,000 × 4 KiB", false),
	}
}

// free is a bucket of the server that costs nothing.
func (b *lab) free(alias, name string) func() (place, error) {
	return func() (place, error) {
		p := place{sluice: alias + "://" + name, rclone: alias + ":" + name, mc: alias + "/" + name, wipe: nothing}
		if !strings.HasPrefix(name, "gen-") {
			p.wipe = func() error { return b.freeWipe(name) }
		}
		return p, nil
	}
}

func (b *lab) equalStores() (src, dst place, err error) {
	if src, err = b.store(b.a, "one")(); err != nil {
		return src, dst, err
	}
	if dst, err = b.store(b.z, "two")(); err != nil {
		return src, dst, err
	}
	if err = b.fill(b.a, bucketOf(src), 10_000, 4<<10); err != nil {
		return src, dst, err
	}
	_, err = b.measure([]string{b.tools + "/rclone", "sync", "-q", "--transfers", "32", src.rclone, dst.rclone})
	return src, dst, err
}

func (b *lab) equalFree() (src, dst place, err error) {
	name := fmt.Sprintf("gen-%d-4096", b.million)
	src, _ = b.free("free", name)()
	dst, _ = b.free("sink", name+"-twin")()
	return src, dst, nil
}

func (b *lab) equalTrees() (src, dst place, err error) {
	if src, err = b.local("million/src")(); err != nil {
		return src, dst, err
	}
	if dst, err = b.local("million/dst")(); err != nil {
		return src, dst, err
	}
	if err = b.tree(src.sluice, b.million, b.million/1000, 0); err != nil {
		return src, dst, err
	}
	out, err := exec.Command("cp", "-a", src.sluice+"/.", dst.sluice+"/").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("cp: %w: %s", err, out)
	}
	return src, dst, err
}

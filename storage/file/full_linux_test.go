package file

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sluice-sync/sluice/storage"
)

// TestFullDisk runs TestFullDiskChild with mounts of its own, so that it can
// have a small file system.
func TestFullDisk(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	cmd.Env = append(os.Environ(), "SLUICE_FILE_FULL="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skipf("no mounts of our own: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFullDiskChild") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFullDiskChild(t *testing.T) {
	root := os.Getenv("SLUICE_FILE_FULL")
	if root == "" {
		return // TestFullDisk runs it
	}
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("sluice-test", root, "tmpfs", 0, "size=1m"),
	); err != nil {
		t.Fatal(err)
	}
	b, ctx := open(t, root, Options{}), t.Context()
	big := strings.Repeat("x", 2<<20)
	put(t, b, "old", "stays")
	for _, key := range []string{"old", "d/new"} {
		_, err := b.Put(ctx, key, strings.NewReader(big), storage.PutOptions{Size: int64(len(big))})
		wantKind(t, err, storage.ErrNoSpace)
		_, err = b.CreateUpload(ctx, key, storage.UploadOptions{Size: int64(len(big)), PartSize: 1 << 20})
		wantKind(t, err, storage.ErrNoSpace)
	}
	src := open(t, t.TempDir(), Options{})
	o := put(t, src, "k", big)
	_, err := b.CopyFrom(ctx, src, o, "copy", storage.CopyOptions{})
	wantKind(t, err, storage.ErrNoSpace)
	if names := leftovers(t, b); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
	if data, err := os.ReadFile(root + "/old"); err != nil || string(data) != "stays" {
		t.Errorf("the old file holds %q, %v", data, err)
	}
	put(t, b, "d/new", strings.Repeat("x", 512<<10)) // what failed takes no space
}

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const envMounts = "SLUICE_E2E_MOUNTS"

// inOwnMounts runs the test that calls it once more, in a process with mounts
// of its own, so that it can have small disks. It is true in that process.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(envMounts) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), envMounts+"=1", envBinary+"="+sluice)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
		t.Skipf("no mounts of our own: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// disk is a small file system of the test's own.
type disk struct {
	t    *testing.T
	root string
}

func newDisk(t *testing.T, mib int) *disk {
	t.Helper()
	d := &disk{t, t.TempDir()}
	if err := unix.Mount("sluice-test", d.root, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", mib)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(d.root, unix.MNT_DETACH) })
	return d
}

func (d *disk) path(name string) string { return filepath.Join(d.root, name) }

// leave takes so much of the disk that free MiB are left; 0 takes every page
// there is.
func (d *disk) leave(free int) {
	d.t.Helper()
	f, err := os.Create(d.path("ballast"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Statfs(d.root, &st); err != nil {
		d.t.Fatal(err)
	}
	size := int64(st.Bavail)*st.Bsize - int64(free)<<20
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil && !(free == 0 && errors.Is(err, syscall.ENOSPC)) {
		d.t.Fatal(err)
	}
	for free == 0 { // what others gave back or had not taken yet
		if _, err := f.WriteAt(make([]byte, 4096), size); err != nil {
			break
		}
		size += 4096
	}
}

// empty gives the space back.
func (d *disk) empty() {
	d.t.Helper()
	if err := os.Remove(d.path("ballast")); err != nil {
		d.t.Fatal(err)
	}
}

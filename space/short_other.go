//go:build !linux

package space

func shortened(dir string) (string, func(), error) { return dir, func() {}, nil }

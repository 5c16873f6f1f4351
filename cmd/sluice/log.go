package main

import (
	"io"
	"os"

	"github.com/sirupsen/logrus"
)

// logFlags say where logs go and how they look.
type logFlags struct {
	level  string
	format string
	file   string
}

// open makes the logger. The closer is for --log-file.
func (f logFlags) open(stderr io.Writer) (*logrus.Logger, io.Closer, error) {
	log := logrus.New()
	log.SetOutput(stderr)
	level, err := logrus.ParseLevel(f.level)
	if err != nil {
		return nil, nil, usagef("--log-level %q: use error, warn, info or debug", f.level)
	}
	log.SetLevel(level)
	switch f.format {
	case "text":
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: f.file != ""})
	case "json":
		log.SetFormatter(&logrus.JSONFormatter{FieldMap: logrus.FieldMap{logrus.FieldKeyMsg: "message"}})
	default:
		return nil, nil, usagef("--log-format %q: use text or json", f.format)
	}
	if f.file == "" {
		return log, io.NopCloser(nil), nil
	}
	out, err := os.OpenFile(f.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, usagef("--log-file: %w", err)
	}
	log.SetOutput(out)
	return log, out, nil
}

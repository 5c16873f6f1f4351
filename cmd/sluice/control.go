package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/space"
	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// controlURL is where a task answers on the control socket of its space.
func controlURL(name string) string {
	if _, own, shared := strings.Cut(name, "/"); shared {
		return "http://space/" + own
	}
	return "http://space"
}

// atControlURL puts the answers of a task where controlURL says.
func atControlURL(sp *space.Space, h http.Handler) http.Handler {
	if sp.Shared() {
		return http.StripPrefix("/"+sp.Name, h)
	}
	return h
}

// control answers other processes of the same user about a running task, or
// about the failures of one that does not run (t is nil).
func control(t *task.Task, st *store.Task) http.Handler {
	answer := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /failures", func(w http.ResponseWriter, r *http.Request) {
		rows, err := failureRows(st, r.URL.Query().Get("after"))
		answer(w, rows, err)
	})
	if t == nil {
		return mux
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, t.Snapshot(), nil) })
	mux.HandleFunc("POST /failures/retry", func(w http.ResponseWriter, _ *http.Request) {
		n, err := t.RetryFailures()
		answer(w, map[string]int{"retried": n}, err)
	})
	return mux
}

// validText tells whether JSON can carry a key as it is.
func validText(s string) bool { return utf8.ValidString(s) }

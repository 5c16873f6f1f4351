package main

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/sluice-sync/sluice/store"
	"github.com/sluice-sync/sluice/task"
)

// control answers other processes of the same user about a running task.
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
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, t.Snapshot(), nil) })
	mux.HandleFunc("GET /failures", func(w http.ResponseWriter, r *http.Request) {
		rows, err := failureRows(st, r.URL.Query().Get("after"))
		answer(w, rows, err)
	})
	mux.HandleFunc("POST /failures/retry", func(w http.ResponseWriter, _ *http.Request) {
		n, err := t.RetryFailures()
		answer(w, map[string]int{"retried": n}, err)
	})
	return mux
}

// validText tells whether JSON can carry a key as it is.
func validText(s string) bool { return utf8.ValidString(s) }

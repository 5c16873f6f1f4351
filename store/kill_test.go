package store

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// victimEnv makes the test binary a process that only commits, to be killed.
const victimEnv = "SLUICE_STORE_TEST_VICTIM"

const victimRows = 20

// victim commits batch after batch, each of rows that name it and a record
// that counts, and prints the number of each that was acknowledged. Every
// fourth is not synced and not announced.
func victim(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	task := s.Task("victim")
	n, err := victimCount(task)
	if err != nil {
		fmt.Println("count:", err)
		os.Exit(1)
	}
	for n++; ; n++ {
		b := task.Batch()
		for i := range victimRows {
			b.PutRow(fmt.Sprintf("%08d/%d", n, i), Row{Size: int64(n), Src: string(make([]byte, 500))})
		}
		b.PutFailure(Failure{Key: "moving", Tries: n, NextTry: goldenTime.AddDate(0, 0, n)})
		b.PutRecord("n", []byte(strconv.Itoa(n)))
		if err := b.Commit(n%4 != 0); err != nil {
			fmt.Println("commit:", err)
			os.Exit(1)
		}
		if n%4 != 0 {
			fmt.Println(n)
		}
	}
}

func victimCount(task *Task) (int, error) {
	rec, found, err := task.Record("n")
	if !found || err != nil {
		return 0, err
	}
	return strconv.Atoi(string(rec))
}

// TestKill kills a committing process again and again: what it announced is
// there, and nothing of any batch without the rest of it.
func TestKill(t *testing.T) {
	r := random(t)
	dir := t.TempDir()
	for round := range 12 {
		acked := killVictim(t, dir, 1+r.IntN(400))
		s := mustOpen(t, dir)
		task := s.Task("victim")
		n, err := victimCount(task)
		if err != nil || n < acked {
			t.Fatalf("round %d: %d batches are there, %v; %d were announced", round, n, err, acked)
		}
		rows := task.Rows("", "")
		count := 0
		for ; rows.Next(); count++ {
			want := fmt.Sprintf("%08d/%d", count/victimRows+1, 0)[:9]
			if rows.Key()[:9] != want {
				t.Fatalf("round %d: row %q in place %d of batches of %d", round, rows.Key(), count, victimRows)
			}
		}
		if err := rows.Close(); err != nil || count != n*victimRows {
			t.Fatalf("round %d: %d rows of %d batches, %v", round, count, n, err)
		}
		f, found, err := task.Failure("moving")
		if err != nil || found != (n > 0) || f.Tries != n {
			t.Fatalf("round %d: failure %+v, %v after %d batches", round, f, err, n)
		}
		if at, found, err := task.NextDue(); err != nil || found != (n > 0) || !at.Equal(f.NextTry) {
			t.Fatalf("round %d: due at %v, %v; want %v", round, at, err, f.NextTry)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killVictim runs the victim until it has announced some batches, kills it and
// returns the last one announced.
func killVictim(t *testing.T, dir string, after int) (acked int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for seen := 0; lines.Scan(); seen++ {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Errorf("victim says: %s", lines.Text())
			break
		}
		acked = n
		if seen == after {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	return acked
}

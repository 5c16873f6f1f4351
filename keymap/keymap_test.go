package keymap

import "testing"

func TestZeroMapKeepsKeys(t *testing.T) {
	var m Map
	for _, k := range []string{"", "a", "a/b", "\xff"} {
		if got, ok := m.Target(k); got != k || !ok {
			t.Errorf("Target(%q) = %q, %v", k, got, ok)
		}
		if got, ok := m.Source(k); got != k || !ok {
			t.Errorf("Source(%q) = %q, %v", k, got, ok)
		}
	}
	if _, _, ok := m.Only(); ok {
		t.Error("the zero map claims to be single")
	}
}

func TestSingleMapsOneKey(t *testing.T) {
	m := Single("a", "b")
	if got, ok := m.Target("a"); got != "b" || !ok {
		t.Errorf("Target(a) = %q, %v", got, ok)
	}
	if got, ok := m.Source("b"); got != "a" || !ok {
		t.Errorf("Source(b) = %q, %v", got, ok)
	}
	if _, ok := m.Target("b"); ok {
		t.Error("another source key takes part")
	}
	if _, ok := m.Source("a"); ok {
		t.Error("another target key takes part")
	}
	if f, to, ok := m.Only(); f != "a" || to != "b" || !ok {
		t.Errorf("Only() = %q, %q, %v", f, to, ok)
	}
}

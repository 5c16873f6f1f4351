package http1

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections that wait for their next request.
type pool struct {
	max     int
	timeout time.Duration

	mu    sync.Mutex
	idle  []*conn // in the order in which they came
	prune *time.Timer
	armed bool // prune will fire
}

// take returns the connection to a target that was used last and still lives,
// or nil. Those used last are the least likely to have been closed.
func (p *pool) take(to target) *conn {
	for {
		c := p.pop(to)
		if c == nil || c.alive() {
			return c
		}
		c.close()
	}
}

func (p *pool) pop(to target) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if c := p.idle[i]; c.to == to {
			if time.Since(c.idleAt) >= p.timeout { // and so are all before it: prune is about to fire
				return nil
			}
			p.idle = slices.Delete(p.idle, i, i+1)
			c.reused = true
			return c
		}
	}
	return nil
}

// put keeps a connection, and closes the oldest one if there are too many.
func (p *pool) put(c *conn) {
	c.idleAt = time.Now()
	p.mu.Lock()
	p.idle = append(p.idle, c)
	var old *conn
	if len(p.idle) > p.max {
		old = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	if !p.armed && len(p.idle) > 0 {
		p.arm(p.timeout)
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// arm is called under the lock.
func (p *pool) arm(after time.Duration) {
	p.armed = true
	if p.prune == nil {
		p.prune = time.AfterFunc(after, p.closeOld)
	} else {
		p.prune.Reset(after)
	}
}

// closeOld closes what was kept for too long. A service that has nothing to do
// for hours must not hold sockets that its server has closed.
func (p *pool) closeOld() {
	p.mu.Lock()
	now := time.Now()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleAt) >= p.timeout {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if p.armed = false; len(p.idle) > 0 {
		p.arm(p.timeout - now.Sub(p.idle[0].idleAt))
	}
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

func (p *pool) closeAll() {
	p.mu.Lock()
	all := p.idle
	p.idle = nil
	if p.prune != nil {
		p.prune.Stop()
	}
	p.armed = false
	p.mu.Unlock()
	for _, c := range all {
		c.close()
	}
}

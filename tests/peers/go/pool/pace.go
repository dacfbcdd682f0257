package pool

import (
	"sync/atomic"
	"time"
)

const step = 100 * time.Millisecond

// pace is how many idle connections a client wants and how often it looks.
type pace struct {
	minCap, maxCap int
	minIvl, maxIvl time.Duration
	capacity       atomic.Int32
	interval       atomic.Int64
}

// before a round: an empty pool is looked at more often, a full one less often. Thresholds are cut to whole connections.
func (p *pace) before(idle int) {
	capacity, interval := float64(p.capacity.Load()), time.Duration(p.interval.Load())
	few, many := int(capacity*0.2), int(capacity*0.8)
	if idle < few {
		interval = max(interval-step, p.minIvl)
	} else if idle > many {
		interval = min(interval+step, p.maxIvl)
	}
	p.interval.Store(int64(interval))
}

// after a round: who had to dial much wants more.
func (p *pace) after(created int) {
	capacity := int(p.capacity.Load())
	share := float64(created) / float64(capacity)
	switch {
	case share < 0.2 && capacity > p.minCap:
		capacity--
	case share > 0.8 && capacity < p.maxCap:
		capacity++
	}
	p.capacity.Store(int32(capacity))
}

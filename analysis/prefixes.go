package analysis

// prefixes count by the first directory of a key and by its first two. In a
// listing all keys of a prefix follow each other, so a prefix is put into its
// table once, when the next one begins.
type prefixes struct {
	ones, twos tally
	one, two   run
	top        Count // objects in no directory
	direct     Count // objects of one that are in no directory below it
}

// run is a prefix under way.
type run struct {
	prefix string // part of a key; keeps at most a page of the listing
	Count
}

// add counts an object; first and second are where the first two slashes of
// its key are, -1 if it has none.
func (p *prefixes) add(key string, first, second int, size int64) {
	if first < 0 {
		p.top.add(size)
		return
	}
	if one := key[:first+1]; one != p.one.prefix {
		p.endOne()
		p.one.prefix = one
	}
	p.one.add(size)
	if second < 0 {
		p.direct.add(size)
		return
	}
	if two := key[:second+1]; two != p.two.prefix {
		p.endTwo()
		p.two.prefix = two
	}
	p.two.add(size)
}

func (p *prefixes) endOne() {
	if p.one.Objects > 0 {
		p.ones.whole(p.one.prefix, p.one.Count)
	}
	if p.direct.Objects > 0 {
		p.twos.whole(p.one.prefix, p.direct)
	}
	p.one, p.direct = run{}, Count{}
}

func (p *prefixes) endTwo() {
	if p.two.Objects > 0 {
		p.twos.whole(p.two.prefix, p.two.Count)
	}
	p.two = run{}
}

// end counts what is under way.
func (p *prefixes) end() {
	p.endOne()
	p.endTwo()
	if p.top.Objects > 0 {
		p.ones.whole("", p.top)
		p.twos.whole("", p.top)
		p.top = Count{}
	}
}

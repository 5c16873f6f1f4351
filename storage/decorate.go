package storage

// Powers is every power in one value. A decorator embeds it, overrides what it
// decorates, and returns that from WrapPower. The powers that the inner bucket
// lacks are nil; As never hands them out.
type Powers struct {
	Multipart
	Copier
	PartCopier
	Tree
	Syncer
	Sweeper
	Tagger
	Restorer
	Clock
}

// PowersOf sorts the powers that a value implements.
func PowersOf(power any) (p Powers) {
	p.Multipart, _ = power.(Multipart)
	p.Copier, _ = power.(Copier)
	p.PartCopier, _ = power.(PartCopier)
	p.Tree, _ = power.(Tree)
	p.Syncer, _ = power.(Syncer)
	p.Sweeper, _ = power.(Sweeper)
	p.Tagger, _ = power.(Tagger)
	p.Restorer, _ = power.(Restorer)
	p.Clock, _ = power.(Clock)
	return p
}

package projections

import (
	"sort"
	"sync"

	"tandem/domain"
)

// keptFolds is how many pasts are kept at a time.
const keptFolds = 16

// fold is the past of one agreement, after one of its commits.
type fold struct {
	root string
	seq  uint64
	s    *store
}

// folds keeps the pasts that were read last. Whoever takes one has it alone.
type folds struct {
	mu   sync.Mutex
	list []*fold // the one used last at the end
}

// take returns the latest past that is not later than seq, nil if there is none.
func (k *folds) take(root string, seq uint64) *fold {
	k.mu.Lock()
	defer k.mu.Unlock()
	best := -1
	for n, f := range k.list {
		if f.root == root && f.seq <= seq && (best < 0 || f.seq > k.list[best].seq) {
			best = n
		}
	}
	if best < 0 {
		return nil
	}
	f := k.list[best]
	k.list = append(k.list[:best], k.list[best+1:]...)
	return f
}

func (k *folds) put(f *fold) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list = append(k.list, f); len(k.list) > keptFolds {
		k.list = append(k.list[:0], k.list[1:]...)
	}
}

// newFold returns the beginning of an agreement's past. Partners are the present ones.
func (i *Image) newFold(o Occurrence) *fold {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return &fold{root: o.pick.root.name, s: i.s.beforeAll(domain.Stream{Agreement: o.Agreement})}
}

// between returns the numbers of the root's commits after one and up to another.
func (r *root) between(after, upTo uint64) []uint64 {
	var seqs []uint64
	first := sort.Search(len(r.refs), func(i int) bool { return uint64(r.refs[i].Seq) > after })
	for _, x := range r.refs[first:] {
		if seq := uint64(x.Seq); seq > upTo {
			break
		} else if len(seqs) == 0 || seqs[len(seqs)-1] != seq {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

package transfer

// polyNVME is the reversed polynomial of CRC-64/NVME.
const polyNVME = 0x9a6c9329ac4bc9b5

// combineCRC returns the CRC of two stretches of bytes one after the other from
// their CRCs and the length of the second. It holds for reflected CRCs that
// begin with all ones and end inverted, of bits width and with the reversed
// polynomial poly: what precedes n zero bits is multiplied by x^n.
func combineCRC(poly uint64, bits uint, first, second uint64, length int64) uint64 {
	f := field{poly: poly, one: 1 << (bits - 1)}
	return f.mul(f.power(uint64(length)*8), first) ^ second
}

// field is arithmetic on polynomials modulo poly. The highest bit is x^0.
type field struct{ poly, one uint64 }

func (f field) mul(a, b uint64) (product uint64) {
	for m := f.one; a != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
			a &^= m
		}
		if b&1 != 0 {
			b = b>>1 ^ f.poly
		} else {
			b >>= 1
		}
	}
	return product
}

// power returns x^n.
func (f field) power(n uint64) uint64 {
	result, square := f.one, f.one>>1
	for ; n != 0; n >>= 1 {
		if n&1 != 0 {
			result = f.mul(result, square)
		}
		square = f.mul(square, square)
	}
	return result
}

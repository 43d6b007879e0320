//! Seeded chance, so that every hostile file can be made again.

#[path = "../chance.rs"]
pub mod chance;

pub struct Random(chance::Random);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(chance::Random(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A few changes of the kinds that files suffer: bytes flipped, cut, doubled, put in, taken out.
    pub fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(6) {
            if bytes.is_empty() {
                bytes.push(self.next() as u8);
                continue;
            }
            let at = self.below(bytes.len());
            let length = 1 + self.below(16.min(bytes.len() - at));
            match self.below(8) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.next() as u8,
                2 => bytes.truncate(at),
                3 => {
                    let copy = bytes[at..at + length].to_vec();
                    bytes.splice(at..at, copy);
                }
                4 => {
                    bytes.drain(at..at + length);
                }
                5 => {
                    let nasty: [&[u8]; 10] = [
                        b"\0",
                        b"\xff\xff\xff\xff",
                        b"\"",
                        b"\n",
                        b"\r",
                        b",",
                        b"\xef\xbb\xbf",
                        b"99999999999999999999",
                        b"1e309",
                        b"{",
                    ];
                    let put = nasty[self.below(nasty.len())].to_vec();
                    bytes.splice(at..at, put);
                }
                6 => bytes[at..at + length].fill(self.next() as u8),
                _ => {
                    let to = self.below(bytes.len());
                    bytes.swap(at, to);
                }
            }
        }
        bytes
    }
}

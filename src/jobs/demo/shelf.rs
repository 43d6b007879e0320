//! Stock by age.

/// The expiry of what does not perish.
pub const NEVER: i32 = i32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Last day on which it may be sold, counted from the first simulated day.
    pub expires: i32,
    pub qty: i64,
}

/// Lots in the order of their expiry, none empty.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    lots: Vec<Lot>,
}

impl Shelf {
    pub fn on_hand(&self) -> i64 {
        self.lots.iter().map(|lot| lot.qty).sum()
    }

    /// What may still be sold on `day`.
    pub fn on_hand_until(&self, day: i32) -> i64 {
        self.lots.iter().filter(|lot| lot.expires >= day).map(|lot| lot.qty).sum()
    }

    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    pub fn put(&mut self, lot: Lot) {
        if lot.qty <= 0 {
            return;
        }
        let at = self.lots.partition_point(|other| other.expires < lot.expires);
        match self.lots.get_mut(at) {
            Some(same) if same.expires == lot.expires => same.qty += lot.qty,
            _ => self.lots.insert(at, lot),
        }
    }

    /// Takes up to `qty`, oldest first, of what may still be sold on `day`.
    pub fn take(&mut self, qty: i64, day: i32) -> Vec<Lot> {
        let mut left = qty;
        let mut taken = Vec::new();
        for lot in self.lots.iter_mut().filter(|lot| lot.expires >= day) {
            let part = left.min(lot.qty);
            if part <= 0 {
                break;
            }
            lot.qty -= part;
            left -= part;
            taken.push(Lot { expires: lot.expires, qty: part });
        }
        self.lots.retain(|lot| lot.qty > 0);
        taken
    }

    /// Throws away what could last be sold on `day`; says how much.
    pub fn expire(&mut self, day: i32) -> i64 {
        let before = self.on_hand();
        self.lots.retain(|lot| lot.expires > day);
        before - self.on_hand()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lots: &[(i32, i64)], take: (i64, i32), taken: &[(i32, i64)], left: &[(i32, i64)]) {
        let mut shelf = Shelf::default();
        lots.iter().for_each(|&(expires, qty)| shelf.put(Lot { expires, qty }));
        let pairs = |lots: &[Lot]| lots.iter().map(|l| (l.expires, l.qty)).collect::<Vec<_>>();
        assert_eq!(pairs(&shelf.take(take.0, take.1)), taken, "{lots:?} {take:?}");
        assert_eq!(pairs(shelf.lots()), left, "{lots:?} {take:?}");
    }

    #[test]
    fn the_oldest_that_will_do_goes_first() {
        check(&[(9, 4), (5, 3), (9, 1)], (4, 5), &[(5, 3), (9, 1)], &[(9, 4)]);
        check(&[(9, 4), (5, 3)], (2, 6), &[(9, 2)], &[(5, 3), (9, 2)]);
        check(&[(9, 4)], (7, 1), &[(9, 4)], &[]);
        check(&[(9, 4)], (7, 10), &[], &[(9, 4)]);
        check(&[(9, 4), (3, 0)], (0, 1), &[], &[(9, 4)]);
    }

    #[test]
    fn what_expires_is_counted() {
        let mut shelf = Shelf::default();
        [(3, 5), (4, 2), (NEVER, 1)]
            .iter()
            .for_each(|&(expires, qty)| shelf.put(Lot { expires, qty }));
        assert_eq!((shelf.expire(2), shelf.expire(3), shelf.expire(4)), (0, 5, 2));
        assert_eq!(shelf.on_hand(), 1);
    }
}

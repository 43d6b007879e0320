//! Which series add up to what. The summing matrix is never built: a level is one code per series.

/// One way to part the series: by category, by location, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    pub name: String,
    /// Per series its node, `0..nodes`.
    pub of: Vec<u32>,
    pub nodes: usize,
}

/// The series at the bottom and the levels above them. Nodes of all levels are numbered through,
/// in the order of the levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    series: usize,
    levels: Vec<Level>,
    /// The first node of each level, and the number of all nodes.
    first: Vec<usize>,
}

/// The name of the level that is the sum of everything.
pub const ALL: &str = "all";

impl Hierarchy {
    /// `codes` are any numbers that are equal for series of one node. The sum of all series is
    /// always a level. What parts the series as an earlier level does, or does not add any of them
    /// up, is left out. Codes beyond `series` are not read.
    pub fn new<'a>(
        series: usize,
        levels: impl IntoIterator<Item = (&'a str, &'a [u32])>,
    ) -> Hierarchy {
        let all = Level { name: ALL.to_owned(), of: vec![0; series], nodes: 1 };
        let mut hierarchy = Hierarchy { series, levels: vec![all], first: vec![0, 1] };
        for (name, codes) in levels {
            let (of, nodes) = dense(&codes[..series]);
            let known = hierarchy.levels.iter().any(|level| level.of == of);
            if nodes < series && !known {
                hierarchy.levels.push(Level { name: name.to_owned(), of, nodes });
                hierarchy.first.push(hierarchy.nodes() + nodes);
            }
        }
        hierarchy
    }

    pub fn series(&self) -> usize {
        self.series
    }

    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Nodes of all levels.
    pub fn nodes(&self) -> usize {
        self.first[self.first.len() - 1]
    }

    /// The node of a series at a level, among the nodes of all levels.
    pub fn node(&self, level: usize, series: usize) -> usize {
        self.first[level] + self.levels[level].of[series] as usize
    }

    /// Nodes of a level among those of all levels.
    pub fn nodes_of(&self, level: usize) -> std::ops::Range<usize> {
        self.first[level]..self.first[level + 1]
    }

    /// Series in each node.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.nodes()];
        self.each(|node, _| sizes[node] += 1);
        sizes
    }

    /// Calls `each(node, series)` for every membership, in one order on every machine.
    pub fn each(&self, mut each: impl FnMut(usize, usize)) {
        for (level, &first) in self.levels.iter().zip(&self.first) {
            for (series, &code) in level.of.iter().enumerate() {
                each(first + code as usize, series);
            }
        }
    }

    /// Sums of the `bottom` values per node, into `out`.
    pub fn sums(&self, bottom: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        self.each(|node, series| out[node] += bottom[series]);
    }

    /// The transpose: what a series' nodes have, added up, onto `out`.
    pub fn add_spread(&self, nodes: &[f64], out: &mut [f64]) {
        self.each(|node, series| out[series] += nodes[node]);
    }
}

/// Codes numbered through by their first series, and how many there are.
fn dense(codes: &[u32]) -> (Vec<u32>, usize) {
    let mut number = std::collections::HashMap::new();
    let of = codes
        .iter()
        .map(|code| {
            let next = number.len() as u32;
            *number.entry(*code).or_insert(next)
        })
        .collect();
    (of, number.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_say_nothing_new_are_left_out() {
        let levels: [(&str, &[u32]); 5] = [
            ("category", &[7, 7, 3, 3]),
            ("item", &[1, 2, 3, 4]),
            ("shelf", &[0, 0, 9, 9]),
            ("region", &[5, 5, 5, 5]),
            ("city", &[1, 2, 1, 2]),
        ];
        let hierarchy = Hierarchy::new(4, levels);
        let names: Vec<&str> = hierarchy.levels().iter().map(|level| &*level.name).collect();
        assert_eq!(names, ["all", "category", "city"]);
        assert_eq!(hierarchy.sizes(), [4, 2, 2, 2, 2]);
        let mut sums = vec![0.0; 5];
        hierarchy.sums(&[1.0, 2.0, 4.0, 8.0], &mut sums);
        assert_eq!(sums, [15.0, 3.0, 12.0, 5.0, 10.0]);
        let mut spread = vec![0.0; 4];
        hierarchy.add_spread(&sums, &mut spread);
        assert_eq!(spread, [23.0, 28.0, 32.0, 37.0]);
    }
}

//! Nelder & Mead's (1965) simplex for up to four bounded parameters, whose four possible moves are
//! tried at once: a likelihood that filters four parameter vectors in one pass waits on the same
//! chain of additions as for one. argmin's simplex asks for one cost at a time, keeps its points in
//! allocated vectors and has no bounds.

pub const LANES: usize = 4;
pub const PARAMETERS: usize = 4;
pub type Point = [f64; PARAMETERS];

/// Reflection, expansion, contraction on either side, by how far they go beyond the centre.
const MOVES: [f64; LANES] = [1.0, 2.0, 0.5, -0.5];

/// Where a search begins, how far its first corners are, and where it may go. A parameter with a
/// step of zero is held.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub start: Point,
    pub step: Point,
    pub low: Point,
    pub high: Point,
}

impl Region {
    fn within(&self, point: Point) -> Point {
        std::array::from_fn(|k| point[k].clamp(self.low[k], self.high[k]))
    }
}

/// The best point and its loss after `passes` evaluations of four points, or fewer when the
/// corners' losses are within `tolerance` of each other. A loss that is not a number counts as
/// infinite.
pub fn minimize(
    region: &Region,
    passes: usize,
    tolerance: f64,
    mut losses: impl FnMut(&[Point; LANES]) -> [f64; LANES],
) -> (Point, f64) {
    let mut evaluate = |points: &[Point; LANES]| {
        losses(points).map(|loss| if loss.is_nan() { f64::INFINITY } else { loss })
    };
    let mut corners = [(region.start, f64::INFINITY); PARAMETERS + 1];
    let mut count = 1;
    for (k, step) in region.step.iter().enumerate().filter(|(_, step)| **step != 0.0) {
        corners[count].0[k] += step;
        count += 1;
    }
    let corners = &mut corners[..count];
    measure(corners, region, &mut evaluate);
    for _ in 0..passes {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, (last, others)) = (corners[0].1, corners.split_last_mut().expect("corners"));
        if last.1 - best <= tolerance * best {
            break;
        }
        let centre: Point = std::array::from_fn(|k| {
            others.iter().map(|(point, _)| point[k]).sum::<f64>() / others.len() as f64
        });
        let moved = MOVES.map(|by| {
            region.within(std::array::from_fn(|k| centre[k] + by * (centre[k] - last.0[k])))
        });
        let tried = evaluate(&moved);
        let least = (1..LANES).fold(0, |least, k| if tried[k] < tried[least] { k } else { least });
        if tried[least] < last.1 {
            *last = (moved[least], tried[least]);
        } else {
            let towards = others[0].0;
            for (point, _) in corners[1..].iter_mut() {
                *point = std::array::from_fn(|k| 0.5 * (point[k] + towards[k]));
            }
            measure(&mut corners[1..], region, &mut evaluate);
        }
    }
    corners
        .iter()
        .fold(corners[0], |least, corner| if corner.1 < least.1 { *corner } else { least })
}

/// The losses of corners, four at a time; the last of an incomplete four is repeated.
fn measure(
    corners: &mut [(Point, f64)],
    region: &Region,
    evaluate: &mut impl FnMut(&[Point; LANES]) -> [f64; LANES],
) {
    for corners in corners.chunks_mut(LANES) {
        let points = std::array::from_fn(|k| region.within(corners[k.min(corners.len() - 1)].0));
        let losses = evaluate(&points);
        for (corner, measured) in corners.iter_mut().zip(points.into_iter().zip(losses)) {
            *corner = measured;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: Region =
        Region { start: [0.0; 4], step: [0.5; 4], low: [-9.0; 4], high: [9.0; 4] };

    #[test]
    fn the_least_value_of_a_bowl_is_found_within_bounds() {
        let bowl = |p: &Point| {
            let away: Point = std::array::from_fn(|k| p[k] - [1.0, 2.0, -3.0, 0.5][k]);
            1.0 + away.iter().zip([1.0, 10.0, 3.0, 0.1]).map(|(a, c)| c * a * a).sum::<f64>()
        };
        let (point, loss) = minimize(&REGION, 300, 1e-9, |points| points.map(|p| bowl(&p)));
        assert!((loss - 1.0).abs() < 1e-6 && (point[2] + 3.0).abs() < 1e-2, "{point:?} {loss}");
        let region = Region { high: [9.0, 1.5, 9.0, 9.0], step: [0.5, 0.5, 0.0, 0.0], ..REGION };
        let (point, _) = minimize(&region, 300, 1e-9, |points| points.map(|p| bowl(&p)));
        assert!((point[1] - 1.5).abs() < 1e-3 && point[2] == 0.0, "{point:?}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_never_the_best() {
        let lost = |p: &Point| if p[0] > 0.2 { f64::NAN } else { 1.0 + p[0] * p[0] };
        let (point, loss) = minimize(&REGION, 100, 1e-9, |points| points.map(|p| lost(&p)));
        assert!(loss.is_finite() && point[0] <= 0.2, "{point:?} {loss}");
    }
}

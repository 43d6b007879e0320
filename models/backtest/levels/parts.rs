//! The ways in which the series of a panel can be parted.

use crate::forecast::drivers::ForecastInput;

/// One way: a code per series of the panel, equal for those that belong together.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: String,
    pub codes: Vec<u32>,
}

/// By category, location, region, item, the crosses of them that planners look at, and every
/// property that is given. Ways that part nothing are among them; [`Hierarchy`] leaves those out.
///
/// [`Hierarchy`]: crate::forecast::reconcile::hierarchy::Hierarchy
pub fn parts(input: &ForecastInput) -> Vec<Part> {
    let of = |name: &str, pick: &dyn Fn(usize) -> u32| Part {
        name: name.to_owned(),
        codes: (0..input.panel.len()).map(pick).collect(),
    };
    let meta = input.meta;
    let cross = |a: u32, b: u32, many: usize| a.wrapping_mul(many as u32).wrapping_add(b);
    let regions = input.regions.len();
    let categories = input.categories.len();
    let mut parts = vec![
        of("category", &|i| meta[i].category),
        of("region", &|i| meta[i].region),
        of("location", &|i| meta[i].location),
        of("item", &|i| meta[i].item),
        of("item in region", &|i| cross(meta[i].item, meta[i].region, regions)),
        of("category at location", &|i| cross(meta[i].location, meta[i].category, categories)),
    ];
    for column in &input.panel.statics {
        parts.push(Part { name: column.name.clone(), codes: column.codes.to_vec() });
    }
    parts
}

//! npws-core's machines under byte strings: every string is a story of what happens to a machine, and a naive model
//! says what has to come of it.
//!
//! The fuzz targets and the tests of this crate call the same [`fuzz`] functions, so neither can rot.
#![forbid(unsafe_code)]

pub mod fuzz;
pub mod model;

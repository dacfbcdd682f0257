//! npws-core's machines under test.
//!
//! - [`world`] is a kit for programs of your own: pools on a simulated network, in virtual time, under one seed.
//! - [`storm`] plays stories in such worlds, each seed another one, in which everything goes wrong.
//! - [`fuzz`] holds the bodies of the fuzz targets: every byte string is a story of what happens to a machine, and a
//!   naive [`model`] says what has to come of it. The tests of this crate call the same functions, so neither can rot.
#![forbid(unsafe_code)]

pub mod fuzz;
pub mod model;
pub mod storm;
pub mod world;

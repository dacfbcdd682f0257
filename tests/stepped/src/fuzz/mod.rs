//! Bodies of fuzz targets: bytes in, a panic if the driver does what it must not.

mod ends;
mod request;
mod response;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

pub use self::request::upgrade_request;
pub use self::response::upgrade_response;
pub use self::settings::settings;
pub use self::stream::connection_stream;

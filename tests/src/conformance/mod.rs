//! The cases, whose names say what they show.
#![allow(missing_docs, reason = "the names are whole sentences")]

pub mod addresses;
pub mod answers;
pub mod client_certificates;
pub mod death;
pub mod design_table;
pub mod dials;
pub mod early_data;
pub mod group;
pub mod group_names;
pub mod handshakes;
pub mod keepalive;
pub mod lifecycle;
pub mod own_parts;
pub mod pairing;
pub mod proxies;
pub mod renewal;
pub mod requests;
pub mod settings;
pub mod shared_listener;
pub mod sockets;
pub mod stream;
pub mod taking;
pub mod tls;
pub mod truncation;
pub mod v1_peers;
pub mod versions;
pub mod websocket;
pub mod words;

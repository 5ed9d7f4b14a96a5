//! The HTTP interface of a host that works.

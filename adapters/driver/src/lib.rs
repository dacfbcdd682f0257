//! The async driver of the npws connection pool, generic over the runtime.

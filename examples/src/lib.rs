//! Programs and their manifests, one idea each.

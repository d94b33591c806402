//! Searching sealed events: pages, facets, histogram.

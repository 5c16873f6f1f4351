// Package producers holds what turns "what is there" and "what changed" into
// events: list compares two listings, or what a list names;
// manifest reads such lists. Producers meet the consumers on the bus
// only. They must not know how an object is copied, nor by how many.
package producers

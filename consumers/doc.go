// Package consumers holds the engines that take events off the bus and act on
// them. Each is a package of its own; they do not import each other.
package consumers

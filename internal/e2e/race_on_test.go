//go:build race

package e2e

// underRace makes the program under test watch itself for races, too.
const underRace = true

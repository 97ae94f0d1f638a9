package page

// Bases lets the tests compute checksums in another way.
var Bases = bases

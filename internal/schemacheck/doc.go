// Package schemacheck is for tests: it checks documents by the few words of JSON Schema
// that the schema of reports is made of, and refuses schemas with others. The module in
// the directory genuine holds it against a complete validator, which so is nobody's who
// imports gorewind.
package schemacheck

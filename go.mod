module github.com/gorewind/gorewind

go 1.25.0

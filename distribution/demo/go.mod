module hypernetes.org/distribution/demo

go 1.26.0

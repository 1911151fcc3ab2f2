module hypernetes.org/distribution/pause

go 1.26.0

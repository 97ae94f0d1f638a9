package recovery

// For tests, which are killed between the halves of Run.
var (
	SetAside     = setAside
	AsideName    = asideName
	ParseVersion = parseVersion
	UsualPlaces  = usualPlaces
)

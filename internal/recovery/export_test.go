package recovery

// For tests, which are killed between the halves of Run.
var (
	SetAside     = setAside
	SegmentOf    = segmentOf
	AttachedTo   = attachedTo
	AsideName    = asideName
	ParseVersion = parseVersion
	UsualPlaces  = usualPlaces
)

package recovery

// For tests, which are killed between the halves of Run.
var (
	HideSignalFiles = hideSignalFiles
	SegmentOf       = segmentOf
	AttachedTo      = attachedTo
	HiddenName      = hiddenName
	ParseVersion    = parseVersion
	UsualPlaces     = usualPlaces
)

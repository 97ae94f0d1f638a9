package controlfile

// offset is the position of a field. Zero means that a version lacks the field:
// every field that some version lacks has a larger offset.
type offset int

// layout is ControlFileData of one pg_control_version (catalog/pg_control.h),
// for 64-bit little-endian machines. Of the fields at the start of the file only
// those that moved are listed.
type layout struct {
	controlVersion uint32

	prevCheckPoint, checkPointCopy      offset
	unloggedLSN                         offset
	minRecoveryPoint                    offset
	minRecoveryPointTLI                 offset
	backupStartPoint, backupEndPoint    offset
	backupEndRequired                   offset
	walLevel, walLogHints               offset
	maxConnections, maxWorkerProcesses  offset
	maxWALSenders, maxPreparedXacts     offset
	maxLocksPerXact                     offset
	trackCommitTimestamp                offset
	maxAlign, floatFormat               offset
	blockSize, relSegBlocks             offset
	walBlockSize, walSegSize            offset
	nameDataLen, indexMaxKeys           offset
	toastMaxChunkSize, largeObjectBlock offset
	checksumVersion                     offset
	checksumVersionAtInit, slruPages    offset
	defaultCharSigned                   offset
	platformBools                       int    // bytes after largeObjectBlock: integer times, floats by value
	crc                                 offset // also the number of bytes that the CRC covers

	checkPoint checkPointLayout
}

// Fields with the same offset in every version. The first two identify
// the version.
const (
	offSystemIdentifier offset = 0
	offControlVersion   offset = 8
	offCatalogVersion   offset = 12
	offState            offset = 16
	offTime             offset = 24
	offCheckPoint       offset = 32
)

// checkPointLayout is the CheckPoint struct; offsets are relative to its start,
// where redo, the two timelines and fullPageWrites are in every version.
type checkPointLayout struct {
	walLevel                             offset
	logicalDecoding                      offset
	nextXidEpoch, nextXid                offset // two halves, up to 11
	nextFullXid                          offset // since 12
	nextOid, nextMulti                   offset
	nextMultiOffset, nextMultiOffset64   offset
	oldestXid, oldestXidDB               offset
	oldestMulti, oldestMultiDB           offset
	time                                 offset
	oldestCommitTsXid, newestCommitTsXid offset
	oldestActiveXid                      offset
}

const (
	offRedo           offset = 0
	offThisTimeLineID offset = 8
	offPrevTimeLineID offset = 12
	offFullPageWrites offset = 16
)

// The CheckPoint structs, named after the first major that has them.
var (
	checkPoint96 = checkPointLayout{
		nextXidEpoch: 20, nextXid: 24, nextOid: 28, nextMulti: 32, nextMultiOffset: 36,
		oldestXid: 40, oldestXidDB: 44, oldestMulti: 48, oldestMultiDB: 52,
		time: 56, oldestCommitTsXid: 64, newestCommitTsXid: 68, oldestActiveXid: 72,
	}
	checkPoint12 = checkPointLayout{
		nextFullXid: 24, nextOid: 32, nextMulti: 36, nextMultiOffset: 40,
		oldestXid: 44, oldestXidDB: 48, oldestMulti: 52, oldestMultiDB: 56,
		time: 64, oldestCommitTsXid: 72, newestCommitTsXid: 76, oldestActiveXid: 80,
	}
	checkPoint17 = checkPointLayout{
		walLevel:    20,
		nextFullXid: 24, nextOid: 32, nextMulti: 36, nextMultiOffset: 40,
		oldestXid: 44, oldestXidDB: 48, oldestMulti: 52, oldestMultiDB: 56,
		time: 64, oldestCommitTsXid: 72, newestCommitTsXid: 76, oldestActiveXid: 80,
	}
	checkPoint19 = checkPointLayout{
		walLevel: 20, logicalDecoding: 24,
		nextFullXid: 32, nextOid: 40, nextMulti: 44, nextMultiOffset64: 48,
		oldestXid: 56, oldestXidDB: 60, oldestMulti: 64, oldestMultiDB: 68,
		time: 72, oldestCommitTsXid: 80, newestCommitTsXid: 84, oldestActiveXid: 88,
	}
)

// layouts has a row for each pg_control_version.
var layouts = []layout{
	{
		controlVersion: 960, checkPoint: checkPoint96, // 9.6
		prevCheckPoint: 40, checkPointCopy: 48, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxPreparedXacts: 188, maxLocksPerXact: 192, trackCommitTimestamp: 196,
		maxAlign: 200, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, platformBools: 3, crc: 256,
	},
	{
		controlVersion: 1002, checkPoint: checkPoint96, // 10
		prevCheckPoint: 40, checkPointCopy: 48, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxPreparedXacts: 188, maxLocksPerXact: 192, trackCommitTimestamp: 196,
		maxAlign: 200, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, platformBools: 2, crc: 288,
	},
	{
		controlVersion: 1100, checkPoint: checkPoint96, // 11
		checkPointCopy: 40, unloggedLSN: 120,
		minRecoveryPoint: 128, minRecoveryPointTLI: 136,
		backupStartPoint: 144, backupEndPoint: 152, backupEndRequired: 160,
		walLevel: 164, walLogHints: 168, maxConnections: 172, maxWorkerProcesses: 176,
		maxPreparedXacts: 180, maxLocksPerXact: 184, trackCommitTimestamp: 188,
		maxAlign: 192, floatFormat: 200, blockSize: 208, relSegBlocks: 212,
		walBlockSize: 216, walSegSize: 220, nameDataLen: 224, indexMaxKeys: 228,
		toastMaxChunkSize: 232, largeObjectBlock: 236, checksumVersion: 244, platformBools: 2, crc: 280,
	},
	{
		controlVersion: 1201, checkPoint: checkPoint12, // 12
		checkPointCopy: 40, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxWALSenders: 188, maxPreparedXacts: 192, maxLocksPerXact: 196, trackCommitTimestamp: 200,
		maxAlign: 204, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, platformBools: 2, crc: 288,
	},
	{
		controlVersion: 1300, checkPoint: checkPoint12, // 13 to 16
		checkPointCopy: 40, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxWALSenders: 188, maxPreparedXacts: 192, maxLocksPerXact: 196, trackCommitTimestamp: 200,
		maxAlign: 204, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, platformBools: 1, crc: 288,
	},
	{
		controlVersion: 1700, checkPoint: checkPoint17, // 17
		checkPointCopy: 40, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxWALSenders: 188, maxPreparedXacts: 192, maxLocksPerXact: 196, trackCommitTimestamp: 200,
		maxAlign: 204, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, platformBools: 1, crc: 288,
	},
	{
		controlVersion: 1800, checkPoint: checkPoint17, // 18
		checkPointCopy: 40, unloggedLSN: 128,
		minRecoveryPoint: 136, minRecoveryPointTLI: 144,
		backupStartPoint: 152, backupEndPoint: 160, backupEndRequired: 168,
		walLevel: 172, walLogHints: 176, maxConnections: 180, maxWorkerProcesses: 184,
		maxWALSenders: 188, maxPreparedXacts: 192, maxLocksPerXact: 196, trackCommitTimestamp: 200,
		maxAlign: 204, floatFormat: 208, blockSize: 216, relSegBlocks: 220,
		walBlockSize: 224, walSegSize: 228, nameDataLen: 232, indexMaxKeys: 236,
		toastMaxChunkSize: 240, largeObjectBlock: 244, checksumVersion: 252, defaultCharSigned: 256, platformBools: 1, crc: 292,
	},
	{
		controlVersion: 1905, checkPoint: checkPoint19, // 19
		checkPointCopy: 40, unloggedLSN: 136,
		minRecoveryPoint: 144, minRecoveryPointTLI: 152,
		backupStartPoint: 160, backupEndPoint: 168, backupEndRequired: 176,
		walLevel: 180, walLogHints: 184, maxConnections: 188, maxWorkerProcesses: 192,
		maxWALSenders: 196, maxPreparedXacts: 200, maxLocksPerXact: 204, trackCommitTimestamp: 208,
		maxAlign: 212, floatFormat: 216, blockSize: 224, relSegBlocks: 228,
		walBlockSize: 236, walSegSize: 240, nameDataLen: 244, indexMaxKeys: 248,
		toastMaxChunkSize: 252, largeObjectBlock: 256, checksumVersion: 268, defaultCharSigned: 272, platformBools: 1, checksumVersionAtInit: 264, slruPages: 232, crc: 308,
	},
}

func layoutOf(controlVersion uint32) *layout {
	for i := range layouts {
		if layouts[i].controlVersion == controlVersion {
			return &layouts[i]
		}
	}
	return nil
}

module csiplugin

go 1.23.0

require (
	github.com/container-storage-interface/spec v1.11.0
	golang.org/x/sys v0.31.0
	google.golang.org/grpc v1.72.2
)

require (
	golang.org/x/net v0.35.0 // indirect
	golang.org/x/text v0.22.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250218202821-56aae31c358a // indirect
	google.golang.org/protobuf v1.36.5 // indirect
)

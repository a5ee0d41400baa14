// A CSI plugin for tests, on the official Go bindings and grpc-go: a volume is a folder below VOLUMES, staged and
// published by bind mounts. Each call is a line of the file CALLS. A volume's context tells what is to go wrong.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	csi "github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type plugin struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	isStaging bool
}

var lock sync.Mutex

func note(words ...any) {
	lock.Lock()
	defer lock.Unlock()
	file, err := os.OpenFile(os.Getenv("CALLS"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	fmt.Fprintln(file, words...)
}

func (plugin) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	note("Probe", os.Getenv("MESOS_AGENT_ID"))
	return &csi.ProbeResponse{}, nil
}

func (plugin) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: "folders.test", VendorVersion: "1"}, nil
}

func (one plugin) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	// One that no caller knows comes first.
	kinds := []csi.NodeServiceCapability_RPC_Type{77}
	if one.isStaging {
		kinds = append(kinds, csi.NodeServiceCapability_RPC_STAGE_UNSTAGE_VOLUME)
	}
	answer := &csi.NodeGetCapabilitiesResponse{}
	for _, kind := range kinds {
		rpc := &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{Type: kind}}
		answer.Capabilities = append(answer.Capabilities, &csi.NodeServiceCapability{Type: rpc})
	}
	return answer, nil
}

func volume(id string) (string, error) {
	path := filepath.Join(os.Getenv("VOLUMES"), id)
	if _, err := os.Stat(path); err != nil {
		return "", status.Error(codes.NotFound, "there is no volume "+id)
	}
	return path, nil
}

func bind(source, target string, isReadOnly bool) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	if !isReadOnly {
		return nil
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

func isMounted(path string) bool {
	mounts, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains(string(mounts), " "+path+" ")
}

func (plugin) NodeStageVolume(_ context.Context, r *csi.NodeStageVolumeRequest) (*csi.NodeStageVolumeResponse, error) {
	note("stage", r.VolumeId, r.VolumeCapability.GetAccessMode().GetMode(), r.VolumeCapability.GetMount().GetFsType(),
		r.Secrets["key"], r.VolumeContext["what"])
	source, err := volume(r.VolumeId)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(r.StagingTargetPath); err != nil {
		return nil, status.Error(codes.InvalidArgument, "the staging path is not there")
	}
	if isMounted(r.StagingTargetPath) {
		return &csi.NodeStageVolumeResponse{}, nil
	}
	return &csi.NodeStageVolumeResponse{}, bind(source, r.StagingTargetPath, false)
}

func unmount(path string) error {
	if !isMounted(path) {
		return nil
	}
	if err := unix.Unmount(path, 0); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

func (plugin) NodeUnstageVolume(_ context.Context, r *csi.NodeUnstageVolumeRequest) (*csi.NodeUnstageVolumeResponse, error) {
	note("unstage", r.VolumeId)
	return &csi.NodeUnstageVolumeResponse{}, unmount(r.StagingTargetPath)
}

func (one plugin) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	note("publish", r.VolumeId, r.Readonly, r.Secrets["key"], r.VolumeContext["what"])
	if r.VolumeContext["what"] == "refuse" {
		return nil, status.Error(codes.FailedPrecondition, "it is refused")
	}
	source := r.StagingTargetPath
	if one.isStaging && !isMounted(source) {
		return nil, status.Error(codes.FailedPrecondition, "it is not staged")
	}
	if !one.isStaging {
		var err error
		if source, err = volume(r.VolumeId); err != nil {
			return nil, err
		}
	}
	if r.VolumeContext["what"] == "linger" {
		os.Exit(9)
	}
	if isMounted(r.TargetPath) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := os.Mkdir(r.TargetPath, 0o755); err != nil && !os.IsExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, bind(source, r.TargetPath, r.Readonly)
}

func (plugin) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	note("unpublish", r.VolumeId)
	if err := unmount(r.TargetPath); err != nil {
		return nil, err
	}
	if err := os.Remove(r.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

func main() {
	path := strings.TrimPrefix(os.Getenv("CSI_ENDPOINT"), "unix://")
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	_, isPlain := os.LookupEnv("PLAIN")
	one := plugin{isStaging: !isPlain}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, one)
	csi.RegisterNodeServer(server, one)
	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}

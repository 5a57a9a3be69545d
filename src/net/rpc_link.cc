#include "net/rpc_link.h"

#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "net/rpc.grpc.pb.h"

namespace plinth::net {

namespace {

gpr_timespec deadline_in(std::chrono::milliseconds wait) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                      gpr_time_from_millis(wait.count(), GPR_TIMESPAN));
}

grpc::ChannelArguments channel_arguments(const RpcOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.frame_bytes_max));
  arguments.SetMaxSendMessageSize(static_cast<int>(options.frame_bytes_max));
  // A proxy of the environment has no business between two processes of one machine.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return arguments;
}

// Stream is a ServerReaderWriter or a ClientReaderWriter, Context what can cancel it.
template <typename Stream, typename Context>
class StreamLink : public RpcLink {
 public:
  StreamLink(Stream& stream, Context& context) : stream_(stream), context_(context) {}

  absl::Status send(const std::string& frame) override {
    Frame message;
    message.set_body(frame);
    std::lock_guard lock(write_mutex_);
    if (closed_ || !stream_.Write(message)) return base::unavailable("[rpc] the link is closed");
    return absl::OkStatus();
  }

  std::optional<std::string> receive() override {
    Frame message;
    if (!stream_.Read(&message)) return std::nullopt;
    return std::move(*message.mutable_body());
  }

  void close() override {
    if (!closed_.exchange(true)) context_.TryCancel();
  }

 private:
  Stream& stream_;
  Context& context_;
  std::mutex write_mutex_;  // one Write at a time is gRPC's rule
  std::atomic<bool> closed_{false};
};

using ServerStream = grpc::ServerReaderWriter<Frame, Frame>;
using ClientStream = grpc::ClientReaderWriter<Frame, Frame>;

class Service final : public Link::Service {
 public:
  explicit Service(std::function<void(RpcLink&)> serve) : serve_(std::move(serve)) {}

  grpc::Status Connect(grpc::ServerContext* context, ServerStream* stream) override {
    StreamLink<ServerStream, grpc::ServerContext> link(*stream, *context);
    serve_(link);
    return grpc::Status::OK;
  }

 private:
  const std::function<void(RpcLink&)> serve_;
};

class Server final : public RpcServer {
 public:
  explicit Server(std::function<void(RpcLink&)> serve) : service_(std::move(serve)) {}
  ~Server() override {
    if (server_) server_->Shutdown(deadline_in({}));
  }

  absl::Status start(const std::string& path, const RpcOptions& options) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
      return base::invalid_argument(path + ": longer than a socket's name may be");
    }
    ::unlink(path.c_str());
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(static_cast<int>(options.frame_bytes_max));
    builder.SetMaxSendMessageSize(static_cast<int>(options.frame_bytes_max));
    // One poller: a gateway has few workers, and idle threads cost it memory.
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 1);
    builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (!server_) return base::unavailable(path + ": cannot listen");
    if (::chmod(path.c_str(), 0600) != 0) return base::errno_status(errno, path);
    return absl::OkStatus();
  }

 private:
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

class Dialled final : public RpcLink {
 public:
  Dialled(std::shared_ptr<grpc::Channel> channel)
      : stub_(Link::NewStub(channel)),
        stream_(stub_->Connect(&context_)),
        link_(*stream_, context_) {}
  ~Dialled() override {
    link_.close();
    while (link_.receive()) {
    }
    (void)stream_->Finish();
  }
  absl::Status send(const std::string& frame) override { return link_.send(frame); }
  std::optional<std::string> receive() override { return link_.receive(); }
  void close() override { link_.close(); }

 private:
  std::unique_ptr<Link::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<ClientStream> stream_;
  StreamLink<ClientStream, grpc::ClientContext> link_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::listen(const std::string& path,
                                                             const RpcOptions& options,
                                                             std::function<void(RpcLink&)> serve) {
  auto server = std::make_unique<Server>(std::move(serve));
  RETURN_IF_ERROR(server->start(path, options));
  return std::unique_ptr<RpcServer>(std::move(server));
}

absl::StatusOr<std::unique_ptr<RpcLink>> dial_rpc(const std::string& path,
                                                  const RpcOptions& options) {
  auto channel = grpc::CreateCustomChannel("unix:" + path, grpc::InsecureChannelCredentials(),
                                           channel_arguments(options));
  if (!channel->WaitForConnected(deadline_in(options.dial_max))) {
    return base::unavailable(path + ": nobody answers");
  }
  return std::unique_ptr<RpcLink>(std::make_unique<Dialled>(std::move(channel)));
}

}  // namespace plinth::net

// Ctrl-C and SIGTERM as a question: whether to stop at the next good moment.
#pragma once

namespace plinth {

// From now on SIGINT, where it is wanted, and SIGTERM ask to stop, and end nothing.
void listen_for_stop(bool on_interrupt = true);
// The same for another signal.
void listen_for_stop_by(int signal);
bool asked_to_stop();

}  // namespace plinth

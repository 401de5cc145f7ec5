import { NodeTransport } from "nats/lib/src/node_transport.js";

const givenUp = new WeakSet<NodeTransport>();
// They are called with their object again, below.
// oxlint-disable-next-line typescript/unbound-method
const { close, peekInfo } = NodeTransport.prototype;

/**
 * The library leaves the socket of an attempt to connect behind when it gives the attempt up. A server that was silent
 * and wakes up answers on all of them, closes those that then say nothing, and each such end makes the client tear down
 * its good connection: two sockets feed one parser. After this call an attempt that is given up takes its socket along.
 */
export function closeAbandonedSockets(): void {
  NodeTransport.prototype.close = function (err) {
    givenUp.add(this);
    if (!this.connected) (this.socket as typeof this.socket | undefined)?.destroy();
    return close.call(this, err);
  };
  // The first thing that happens on a new socket; its rejection destroys the socket.
  NodeTransport.prototype.peekInfo = function () {
    if (givenUp.has(this)) return Promise.reject(new Error("this attempt to connect was given up"));
    return peekInfo.call(this);
  };
}

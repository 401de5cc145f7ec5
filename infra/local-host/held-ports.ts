import { dlopen } from "bun:ffi";
import { closeSync, fchownSync } from "node:fs";

// The control plane sends an agent's token to the agent's port whether the agent lives or not, so that port must never
// be a stranger's. A socket that is bound and does not listen keeps it: connections are refused at once, as those to a
// host that is off. Linux lets a second socket bind the same port where both say SO_REUSEPORT and belong to one user
// (socket(7)); this one is given to the agent's own user, whom no workload can become. So the agent binds beside it, at
// its start and after a crash, and there is no moment at which anybody else could.

export type HeldPorts = {
  /**
   * Keeps 127.0.0.1:`port` for what `user` binds (undefined: this process's), in place of the vmid's former port; false
   * when a stranger has it.
   */
  hold(vmid: number, port: number, user: number | undefined): boolean;
  release(vmid: number): void;
  releaseAll(): void;
};

const inet = 2;
const stream = 1;
const closeOnExec = 0o2000000;
const socketLevel = 1;
const reuseAddress = 2;
const reusePort = 15;

export function heldPorts(): HeldPorts {
  const { symbols: libc } = dlopen("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
    bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  });
  const held = new Map<number, { port: number; socket: number }>();

  /** A bound socket that does not listen; undefined when the port is taken. */
  const bound = (port: number, user: number | undefined, options: readonly number[]): number | undefined => {
    const socket = libc.socket(inet, stream | closeOnExec, 0);
    if (socket < 0) throw new Error("there is no socket left to hold a port with");
    let isBound = false;
    try {
      if (user !== undefined) fchownSync(socket, user, user);
      const yes = new Int32Array([1]);
      for (const option of options)
        if (libc.setsockopt(socket, socketLevel, option, yes, yes.byteLength) !== 0)
          throw new Error("the kernel does not let an agent bind its port beside the host");
      const address = loopback(port);
      isBound = libc.bind(socket, address, address.byteLength) === 0;
    } finally {
      if (!isBound) closeSync(socket);
    }
    return isBound ? socket : undefined;
  };

  /**
   * The same, also where the port only has connections that are ending, of an agent that did not share it: for a minute
   * they keep it from all that do not say SO_REUSEADDR. The socket that says so opens the way for another of its user and
   * is closed, as it would let strangers in too; one that came in between cannot listen.
   */
  const boundInspiteOfEnds = (port: number, user: number | undefined): number | undefined => {
    const opener = bound(port, user, [reuseAddress, reusePort]);
    try {
      return opener === undefined ? undefined : bound(port, user, [reusePort]);
    } finally {
      if (opener !== undefined) closeSync(opener);
    }
  };

  const release = (vmid: number) => {
    const found = held.get(vmid);
    if (found && held.delete(vmid)) closeSync(found.socket);
  };

  return {
    hold(vmid, port, user) {
      if (held.get(vmid)?.port === port) return true;
      const socket = bound(port, user, [reusePort]) ?? boundInspiteOfEnds(port, user);
      if (socket === undefined) return false;
      release(vmid);
      held.set(vmid, { port, socket });
      return true;
    },
    release,
    releaseAll() {
      for (const vmid of held.keys()) release(vmid);
    },
  };
}

/** 127.0.0.1:`port` as a sockaddr_in of ip(7): the family in the machine's byte order, the rest in the network's. */
function loopback(port: number): Uint8Array {
  const address = new Uint8Array(16);
  new Uint16Array(address.buffer, 0, 1)[0] = inet;
  const view = new DataView(address.buffer);
  view.setUint16(2, port);
  view.setUint32(4, 0x7f00_0001);
  return address;
}

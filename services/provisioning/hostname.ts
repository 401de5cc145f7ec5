/**
 * The name of a server on the network: what a person called it, made fit for DNS (lower case letters, digits and
 * single dashes), and its VMID, which makes it unique; 63 characters at most. Built once, when the VMID is known, and
 * then carried along: every record of one server has the same name.
 */
export function hostnameOf(name: string, vmid: number): string {
  const suffix = `-${vmid}`;
  const slug = name
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f']/g, "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 63 - suffix.length)
    .replaceAll(/^-+|-+$/g, "");
  // `dev-<vmid>` is where the IDE of a dev container is reached.
  const prefix = slug === "" || slug === "dev" ? "server" : slug;
  return prefix + suffix;
}

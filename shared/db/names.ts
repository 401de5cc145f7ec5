/** The schema of a service: its name, with underscores for dashes, so that SQL needs no quotes. Throws on others. */
export function schemaOf(service: string): string {
  if (!/^[a-z][a-z0-9_-]*$/.test(service)) throw new Error(`not a service name: ${service}`);
  return service.replaceAll("-", "_");
}

/** The database role of a service. */
export function roleOf(service: string): string {
  return `svc_${schemaOf(service)}`;
}

/** Whose container it is: this installation's, for that instance, made by that operation. */
export type Owner = { installation: string; instanceId: string; operationId: string };
/** The same for who does not know which operation made it: the container of a live server, or of one to remove. */
export type InstanceOwner = Omit<Owner, "operationId">;

type Marked = { description: string; tags: readonly string[] };

/** The description that the creating call itself writes, so that no container of ours is ever without it. */
export const ownerMark = ({ installation, instanceId, operationId }: Owner): string =>
  `zpack:${installation}:${instanceId}:${operationId}`;

/** The same fact as a tag; it survives an operator who rewrites the description. */
export const ownerTag = ({ installation, instanceId }: InstanceOwner): string =>
  `zpack-${installation}-${instanceId}`;

/** Whether either mark proves that the container is this owner's. Without proof it is somebody else's. */
export function isOwnedBy(container: Marked, owner: Owner | InstanceOwner): boolean {
  if (!("operationId" in owner)) return isOfInstance(container, owner);
  return container.description.trim() === ownerMark(owner) || container.tags.includes(ownerTag(owner));
}

/** Whether either mark proves that the container is this instance's, whichever operation made it. */
export function isOfInstance({ description, tags }: Marked, owner: InstanceOwner): boolean {
  return description.startsWith(ownerMark({ ...owner, operationId: "" })) || tags.includes(ownerTag(owner));
}

/** Whether either mark names this installation, for whatever instance. */
export function isOfInstallation({ description, tags }: Marked, installation: string): boolean {
  const uuid = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
  return (
    description.startsWith(`zpack:${installation}:`) ||
    tags.some((tag) => new RegExp(`^zpack-${installation}-${uuid}$`).test(tag))
  );
}

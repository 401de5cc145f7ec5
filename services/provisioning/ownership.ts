/** Whose container it is: this installation's, for that instance, made by that operation. */
export type Owner = { installation: string; instanceId: string; operationId: string };

/** The description that the creating call itself writes, so that no container of ours is ever without it. */
export const ownerMark = ({ installation, instanceId, operationId }: Owner): string =>
  `zpack:${installation}:${instanceId}:${operationId}`;

/** The same fact as a tag; it survives an operator who rewrites the description. */
export const ownerTag = ({ installation, instanceId }: Omit<Owner, "operationId">): string =>
  `zpack-${installation}-${instanceId}`;

/** Whether either mark proves that the container is this owner's. Without proof it is somebody else's. */
export function isOwnedBy(
  container: { description: string; tags: readonly string[] },
  owner: Owner,
): boolean {
  return container.description.trim() === ownerMark(owner) || container.tags.includes(ownerTag(owner));
}

// How many answers to garbled objects differ from those of kube-apiserver v1.37 and are not looked into yet, by
// object: a number may only become smaller, and an object without one agrees in all, but for what the test lists.

export const notYet: Readonly<Record<string, number>> = {
  CustomResourceDefinition: 5,
  PodCertificateRequest: 1,
  ResourceClaimTemplate: 1,
};

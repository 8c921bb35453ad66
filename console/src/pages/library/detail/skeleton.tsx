import { Grid, Skeleton, Stack, VisuallyHidden } from "@mantine/core";

/** What stands for a media that is on its way. */
export function MediaSkeleton() {
  return (
    <Stack gap="md" aria-busy="true">
      <VisuallyHidden component="h1">Media</VisuallyHidden>
      <VisuallyHidden role="status">Loading</VisuallyHidden>
      <Skeleton height={30} width="50%" />
      <Skeleton height={18} width="30%" />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Skeleton height={400} radius="md" />
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Stack gap="lg">
            <Skeleton height={180} radius="md" />
            <Skeleton height={180} radius="md" />
          </Stack>
        </Grid.Col>
      </Grid>
    </Stack>
  );
}
